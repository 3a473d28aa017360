"""`deeprc bench batch`: stages of frames as jobs of one pilot, beside a batch job for each of them."""
