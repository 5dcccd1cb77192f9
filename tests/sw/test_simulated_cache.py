"""What is made of a file and kept."""

from systolith.simulated import fetch_cached


def test_made_once(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"one")
    made = []

    def make(folder):
        made.append(folder)
        (folder / "copy").write_bytes(source.read_bytes())

    def fetch():
        return fetch_cached("kind", source, make, what="it", cache=tmp_path / "cache")

    entry = fetch()
    assert (entry / "copy").read_bytes() == b"one"
    assert entry.parent == tmp_path / "cache" / "kind"
    assert fetch() == entry
    assert len(made) == 1

    (entry / "copy").write_bytes(b"damaged")
    assert fetch() == entry
    assert (entry / "copy").read_bytes() == b"one"
    assert len(made) == 2

    source.write_bytes(b"another")
    assert fetch() != entry
    assert len(made) == 3
