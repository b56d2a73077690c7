"""What the commands about data sets show people."""
