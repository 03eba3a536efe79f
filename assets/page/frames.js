// One preview as the browser keeps it: pictures of x_0 and x_t per image, and the step's instruments.
class Frame {
  constructor(message, redraw) {
    this.step = message.step;
    this.stats = message.stats;
    this.pictures = { x_0: message.x_0.map(load), x_t: (message.x_t || []).map(load) };
    function load(address) {
      const picture = new Image();
      picture.onload = redraw;
      picture.src = address;
      return picture;
    }
  }

  picture(kind, image) {
    const picture = this.pictures[kind][image];
    return picture && picture.complete && picture.naturalWidth ? picture : null;
  }
}

// Paint what changed between two estimates around middle grey, four times as strong as it is.
function paintDifference(context, picture, before) {
  const { naturalWidth: width, naturalHeight: height } = picture;
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
