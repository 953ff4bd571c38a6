"""Training: labelled images in, a network out, exported with its card. Needs the extra ``train``."""
