"""What stands between the code and a cluster: image file, manifests and example environment."""
