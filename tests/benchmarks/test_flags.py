"""The command line that the benchmarks share."""

from benchmarks.flags import make_parser


def test_the_usage_is_the_command():
    text = make_parser("lite", "First line.\n\nMore.").format_help()
    assert text.startswith("usage: python -m benchmarks.lite [-h]")
    assert "First line." in text
    assert "More." not in text
