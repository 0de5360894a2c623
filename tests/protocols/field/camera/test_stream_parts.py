"""What a stream is made of: sign-in, description, packets, pictures; and rubbish, which breaks nothing."""

from __future__ import annotations

import asyncio
import base64
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from protocols.errors import BadFrame
from protocols.field.camera.challenge import Account, digest, read_challenges
from protocols.field.camera.frames import START, assembler
from protocols.field.camera.rtp import Loss, Packet, read_packet
from protocols.field.camera.rtsp_wire import Interleaved, Message, Response, read_message
from protocols.field.camera.sdp import read_sdp, resolve
from sim_devices.servers.rtp_packets import h264_payloads, h265_payloads, jpeg_payloads, packet

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
RFC_7616 = (
    f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="{NONCE}", '
    f'opaque="{OPAQUE}"',
    f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="{NONCE}", '
    f'opaque="{OPAQUE}"',
)


@pytest.mark.parametrize(
    ("at", "response"),
    [
        (0, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (1, "8ca523f5e9506fed4657c9700eebdbec"),
    ],
)
def test_digests_are_those_of_the_standard(at: int, response: str) -> None:
    """RFC 7616 section 3.9.1."""
    asked = read_challenges(RFC_7616)[at]
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    said = digest(asked, "Mufasa", "Circle of Life", "GET", "/dir/index.html", 1, cnonce)
    assert f'response="{response}"' in said
    assert f'opaque="{OPAQUE}"' in said
    assert "nc=00000001" in said


def test_the_best_challenge_is_answered_and_a_wrong_password_is_not_tried_again() -> None:
    account = Account("u", "p")
    assert account.header("DESCRIBE", "rtsp://x/") is None, "a password never goes out unasked"
    assert account.take(['Basic realm="c"', *reversed(RFC_7616)])
    assert "SHA-256" in str(account.header("DESCRIBE", "rtsp://x/"))
    assert not account.take(RFC_7616)
    assert account.take([RFC_7616[1] + ", stale=true"])
    assert not Account("u", "p").take(['Digest realm="c", nonce="n", algorithm=SHA-512-256', "Negotiate"])
    both = read_challenges(['Digest realm="a, Basic b", nonce="1", Basic realm="c"'])
    assert [each.scheme for each in both] == ["digest", "basic"]
    assert (
        digest(read_challenges(['Digest realm="", nonce="n"'])[0], "u", "p", "M", "u", 1, "c").count("=") == 5
    )


def test_a_description_gives_the_video_and_its_parameter_sets() -> None:
    sps, pps = b"\x67\x42\x00\x1f", b"\x68\xce\x3c\x80"
    sets = f"{base64.b64encode(sps).decode()},{base64.b64encode(pps).decode()}"
    body = (
        "v=0\r\na=control:rtsp://10.0.0.9:554/live/\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\n"
        "m=video 0 RTP/AVP 97\r\na=rtpmap:97 h264/90000\r\n"
        f"a=fmtp:97 packetization-mode=1;sprop-parameter-sets={sets}\r\n"
        "a=framerate:25.0\r\na=control:track2\r\n"
    )
    said = read_sdp(body.encode())
    assert said.video is not None
    assert (said.video.payload, said.video.codec, said.video.rate) == (97, "H264", 90_000)
    assert (said.video.framerate, said.video.control) == (25.0, "track2")
    assert said.video.parameter_sets() == START + sps + START + pps
    assert resolve("rtsp://192.0.2.4:8554/live?subtype=1", said.control) == "rtsp://192.0.2.4:8554/live/"
    assert resolve("rtsp://192.0.2.4/live/", "track2") == "rtsp://192.0.2.4/live/track2"
    assert read_sdp(b"m=audio 0 RTP/AVP 0\r\n").video is None


@given(st.binary(max_size=300))
def test_rubbish_is_refused_in_words_or_left_out(data: bytes) -> None:
    read_sdp(data)
    read_challenges([data.decode("latin-1")])
    try:
        read_packet(data)
    except BadFrame as error:
        assert "RTP" in str(error)
    for codec in ("H264", "H265", "JPEG"):
        pictures = assembler(codec)
        assert pictures is not None
        for sequence in range(3):
            pictures.add(Packet(96, sequence == 2, sequence, 7, 1, data[sequence * 7 :]), in_order=True)


async def messages(parts: list[bytes]) -> list[Message]:
    reader = asyncio.StreamReader(limit=16 * 1024)

    async def feed() -> None:
        for part in parts:
            reader.feed_data(part)
            await asyncio.sleep(0)
        reader.feed_eof()

    feeding = asyncio.create_task(feed())
    found: list[Message] = []
    try:
        while True:
            found.append(await read_message(reader))
    except asyncio.IncompleteReadError:
        return found
    finally:
        await feeding


@given(st.lists(st.integers(1, 40), max_size=40))
@settings(max_examples=40)
def test_messages_are_read_however_they_are_split(cuts: list[int]) -> None:
    line = (
        b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nv=0\n$\x00\x00\x05abcde"
        b"RTSP/1.0 401 Unauthorized\r\nCSeq: 4\r\nWWW-Authenticate: Basic\r\n realm=x\r\n\r\n$\x01\x00\x01z"
    )
    parts, at = [], 0
    for cut in cuts:
        parts.append(line[at : at + cut])
        at += cut
    first, rtp, second, rtcp = asyncio.run(messages([*parts, line[at:]]))
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert (first.status, first.cseq, first.body) == (200, 3, b"v=0\n")
    assert (second.status, second.header("www-authenticate")) == (401, "Basic realm=x")
    assert (rtp, rtcp) == (Interleaved(0, b"abcde"), Interleaved(1, b"z"))


@pytest.mark.parametrize(
    "line",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"\x16\x03\x01rest\r\n\r\n", b"RTSP/1.0 two OK\r\n\r\n",
     b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"R" * 20_000],
)  # fmt: skip
async def test_what_is_no_rtsp_is_named(line: bytes) -> None:
    with pytest.raises(BadFrame, match="check the port"):
        await messages([line])


def picture(quality: int, subsampling: int, size: tuple[int, int] = (320, 184)) -> bytes:
    image = Image.linear_gradient("L").resize(size)
    out = io.BytesIO()
    Image.merge("RGB", (image, ImageChops.invert(image), image.rotate(180))).save(
        out, "JPEG", quality=quality, subsampling=subsampling
    )
    return out.getvalue()


@pytest.mark.parametrize(("quality", "subsampling"), [(30, 2), (84, 2), (95, 1)])
def test_a_jpeg_goes_through_packets_and_comes_out_the_same(quality: int, subsampling: int) -> None:
    before = picture(quality, subsampling)
    pictures = assembler("JPEG")
    assert pictures is not None
    payloads = jpeg_payloads(before)
    assert len(payloads) > 1
    frame = None
    for number, payload in enumerate(payloads):
        sent = packet(26, number == len(payloads) - 1, number, 9000, 5, payload)
        frame = pictures.add(read_packet(sent), in_order=True)
    assert frame is not None
    assert frame.key
    assert Image.open(io.BytesIO(frame.data)).tobytes() == Image.open(io.BytesIO(before)).tobytes()


@given(
    st.lists(st.binary(min_size=1, max_size=4000), min_size=1, max_size=4), st.sampled_from(["H264", "H265"])
)
def test_units_are_put_together_and_a_lost_packet_costs_its_picture(bodies: list[bytes], codec: str) -> None:
    head = {"H264": b"\x65", "H265": b"\x26\x01"}[codec]
    # A start code inside, or a zero at the end, would be another stream.
    units = [head + body.replace(b"\0", b"\1") for body in bodies]
    payloads = {"H264": h264_payloads, "H265": h265_payloads}[codec](b"".join(START + unit for unit in units))
    last = len(payloads) - 1
    pictures = assembler(codec)
    assert pictures is not None
    frames = [pictures.add(Packet(96, n == last, n, 1, 1, p), in_order=True) for n, p in enumerate(payloads)]
    assert frames[-1] is not None
    assert frames[-1].key
    assert frames[-1].data == b"".join(START + unit for unit in units)
    spoilt = [
        pictures.add(Packet(96, n == last, n, 2, 1, p), in_order=n != last) for n, p in enumerate(payloads)
    ]
    assert spoilt[-1] is None


def test_losses_are_counted_over_the_wrap() -> None:
    loss = Loss()
    kept = [n & 0xFFFF for n in range(65_500, 65_600) if n % 10]
    in_order = [loss.add(n) for n in kept]
    assert loss.percent == pytest.approx(100 * 9 / 99, abs=1.5)
    assert in_order.count(False) == 9
