"""Training of the offline judge: `make train` makes what is shipped and measures it on questions it has not seen."""
