"""What a call waits for, and the two worlds in which that is done."""
