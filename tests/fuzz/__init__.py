"""Random and mutated frames at the doors through which devices speak to the gateway.

    python -m tests.fuzz                     a million Modbus, OPC UA and MQTT frames, and some of SNMP
    python -m tests.fuzz opcua --frames 50000 --seed 7
    python -m tests.fuzz rtu --seed 7 --only 31337      one frame again, with what came of it

Each frame follows from door, seed and number alone. A door judges by an oracle of its own, written without
the code under test: a value that is good is one that the bytes say, and they bear the number or checksum of
the question; nothing raises, nothing takes longer than a few seconds of processor.
"""
