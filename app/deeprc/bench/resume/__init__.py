"""What `kill -9` costs a training: ours, and those of other libraries, each used as its documentation says."""
