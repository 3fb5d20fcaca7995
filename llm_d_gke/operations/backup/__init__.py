"""What has to be kept to bring a stack back elsewhere, and what changes in another region."""
