// One preview as the browser keeps it: pictures of x_0 and x_t per image, and the step's instruments.
class Frame {
  constructor(message, redraw) {
    this.step = message.step;
    this.stats = message.stats;
    this.redraw = redraw;
    this.attention = message.attention ? new StepMaps(message.attention) : null;
    this.addresses = { x_0: message.x_0, x_t: message.x_t || [] };
    this.pictures = { x_0: [], x_t: [] };
    this.bytes = this.size(message);
  }

  // What it holds without the decoded pictures: a character of an address takes a byte.
  size({ x_0, x_t, attention }) {
    return [...x_0, ...(x_t || []), attention ? attention.maps : ""].reduce((sum, text) => sum + text.length, 0);
  }

  // The decoded picture, or null until it is there; decoding begins when it is asked for the first time.
  picture(kind, image) {
    const address = this.addresses[kind][image];
    if (!address) return null;
    const known = this.pictures[kind][image];
    if (known === undefined) this.decode(kind, image, address);
    return known && DECODED.used(known);
  }

  // Whether the picture is decoded; this asks for nothing.
  ready(kind, image) {
    return Boolean(this.pictures[kind][image]) || !this.addresses[kind][image];
  }

  // Away from the page's own thread, so that moving the cursor never waits for it.
  async decode(kind, image, address) {
    this.pictures[kind][image] = null;
    try {
      const data = await fetch(address);
      const picture = await createImageBitmap(await data.blob());
      this.pictures[kind][image] = picture;
      DECODED.keep(picture, () => delete this.pictures[kind][image]);
      this.redraw();
    } catch {
      this.pictures[kind][image] = null; // not a picture: the step stays without one
    }
  }

  // Give the memory of the decoded pictures back; they are decoded again when they are asked for.
  release() {
    for (const picture of Object.values(this.pictures).flat()) if (picture) DECODED.drop(picture);
  }
}

// Decoded pictures take four bytes a pixel, so only those that were used last are held: 150 steps of 512 pixels.
class DecodedPictures {
  constructor(limit) {
    this.limit = limit;
    this.pixels = 0;
    this.held = new Map(); // picture -> what forgets it, the one used longest ago first
  }

  keep(picture, forget) {
    this.held.set(picture, forget);
    this.pixels += picture.width * picture.height;
    for (const oldest of this.held.keys()) {
      if (this.pixels <= this.limit || oldest === picture) break;
      this.drop(oldest);
    }
  }

  drop(picture) {
    const forget = this.held.get(picture);
    this.held.delete(picture);
    this.pixels -= picture.width * picture.height;
    forget();
    picture.close();
  }

  used(picture) {
    const forget = this.held.get(picture);
    this.held.delete(picture);
    this.held.set(picture, forget);
    return picture;
  }
}

const DECODED = new DecodedPictures(150 * 512 * 512);

// A function that calls `paint` once for any number of calls between two frames of the screen.
function oncePerFrame(paint) {
  let queued = false;
  const run = () => {
    queued = false;
    paint();
  };
  return () => {
    if (queued) return;
    queued = true;
    if (document.hidden) setTimeout(run, 100);
    else requestAnimationFrame(run);
  };
}

// Paint what changed between two estimates around middle grey, four times as strong as it is.
function paintDifference(context, picture, before) {
  const { width, height } = picture;
  context.drawImage(picture, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height);
  let earlier = null;
  if (before) {
    const scratch = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    scratch.drawImage(before, 0, 0, width, height);
    earlier = scratch.getImageData(0, 0, width, height).data;
  }
  const values = pixels.data;
  for (let i = 0; i < values.length; i += 4) {
    for (let channel = i; channel < i + 3; channel += 1) {
      values[channel] = earlier ? 128 + 4 * (values[channel] - earlier[channel]) : 128;
    }
  }
  context.putImageData(pixels, 0, 0);
}

// Faint noise of the stage's own pixel size, for a lane that has not begun. The same at every visit.
function paintNoise(canvas, size) {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(size, size);
  let state = 2205;
  for (let i = 0; i < pixels.data.length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels.data[i] = i % 4 === 3 ? 255 : 40 + (state >>> 24) * 0.7;
  }
  context.putImageData(pixels, 0, 0);
}
