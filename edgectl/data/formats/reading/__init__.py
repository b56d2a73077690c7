"""What readers share: finding files and images, boxes into samples, what is lost on the way."""
