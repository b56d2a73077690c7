"""What a board needs beside the file."""
