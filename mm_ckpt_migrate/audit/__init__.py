"""`audit`: what is wrong in a model zoo, found without building a model."""
