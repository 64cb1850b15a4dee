"""What users construct: estimators, with scikit-learn's interface."""
