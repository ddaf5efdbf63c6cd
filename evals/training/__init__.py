"""Training of the offline judge: its network (`make network`), and the decision behind it, measured (`make train`)."""
