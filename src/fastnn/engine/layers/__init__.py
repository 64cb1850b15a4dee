"""What a network is made of, to the engine: signals, and one file for each kind of layer between them."""
