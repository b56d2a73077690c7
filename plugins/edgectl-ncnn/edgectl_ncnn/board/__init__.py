"""What a board needs beside the model files."""
