"""What a viewer sees: skeletons, numbers, boxes and trails on a frame."""
