"""What an encoder makes of pictures, as a page, figures and a projector."""
