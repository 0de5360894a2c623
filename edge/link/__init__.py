"""The one connection to the centre, outbound only: sender (batches), receiver (commands), enrolment."""
