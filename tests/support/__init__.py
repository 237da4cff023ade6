"""What several tests share: a supervisor of one's own, an image, and the leak audit."""
