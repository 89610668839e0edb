"""Networks measured: accuracy on labelled data sets, milliseconds on this machine."""
