"""Training on several devices: launching ranks and talking between them."""
