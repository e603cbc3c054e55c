//! Local models: from a prompt to tokens, log-probabilities and embeddings.
