"""How a network is made ready on this machine: device, precision, folding, OpenVINO, upload, calibration."""
