"""The city as it is registered: sites, gateways, devices, points, with what people wrote about them."""
