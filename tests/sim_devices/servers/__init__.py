"""Tests of the simulated servers, each by a real client."""
