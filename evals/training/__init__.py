"""Training of the offline judge: `make folds` measures it on questions it has not seen, `make train` makes what is shipped."""
