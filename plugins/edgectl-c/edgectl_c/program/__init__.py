"""What stands around the network in a whole program: preprocessing, decoding, the test, the projects."""
