"""What a technician asks of a line that no file describes yet: who is there, what do its numbers mean?"""
