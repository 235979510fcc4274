"""Devices and hostile texts for the tests of pages in a browser."""

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
HOSTILE = {
    "markup": '<img src=x onerror="window.broken=1">\'"&amp;</script><script>window.broken=1</script><!--',
    "control": "bell \a null \0 escape \x1b[31m line\u2028break \ud800 tab\t",
    "right-to-left": "\u202eמסמך של טקסט עברי (1) gnorw\u202d",
    "long": "long" * 2500,
    "prototype": "__proto__",
}
