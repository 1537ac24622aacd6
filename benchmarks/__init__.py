"""What Chimera is measured with."""
