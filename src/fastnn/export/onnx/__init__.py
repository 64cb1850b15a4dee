"""ONNX: graphs of operators, which other programs run."""
