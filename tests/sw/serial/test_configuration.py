"""The configuration that a device reports."""

import dataclasses

import pytest
from systolith import ArrayConfig, ConfigurationMismatch, ProtocolError
from systolith.serial.configuration import read_configuration
from systolith_hw import REGISTERS, identity

CONFIGS = [
    ArrayConfig(),
    ArrayConfig.parse("2x64-axi512-a16384-b16384-acc4096-e1-burst1024-o256-ds8"),
    ArrayConfig.parse("8x4-axi32-a256-b64-acc4-e2-burst16-o2-ds2-addr17-dim11-cnt20"),
]


def reader(values):
    return {REGISTERS[name].offset: value for name, value in values.items()}.__getitem__


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_read(config):
    assert read_configuration(reader(identity(config))) == config


@pytest.mark.parametrize("name", ["id", "version"])
def test_read_no_device(name):
    values = identity(ArrayConfig()) | {name: 0}
    with pytest.raises(ConfigurationMismatch, match=f"{name} must be .*, the device reports 0"):
        read_configuration(reader(values))


def test_read_no_configuration():
    values = identity(ArrayConfig()) | {"array": 3}
    with pytest.raises(ProtocolError, match=r"^the device reports what is no configuration: rows must be a"):
        read_configuration(reader(values))


def test_read_other_hash():
    other = dataclasses.replace(ArrayConfig(), outstanding=32)
    values = identity(ArrayConfig()) | {"config_hash": identity(other)["config_hash"]}
    with pytest.raises(ProtocolError, match=r"^the device reports 16x16-.* and 0x[0-9a-f]{8}, the hash of"):
        read_configuration(reader(values))
