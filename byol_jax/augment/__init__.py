"""The two view policies as data, and the device's photometry and crops."""
