// A video by the browser's own recorder, which records as long as the video plays.
const VIDEO_SIDE = 512; // pixels: eight times 64
const VIDEO_REST = 1500; // milliseconds for which the last step stays

function videoType() {
  const types = ["video/mp4;codecs=avc1.42E01E", "video/webm;codecs=vp9", "video/webm"];
  return window.MediaRecorder ? types.find((type) => MediaRecorder.isTypeSupported(type)) : undefined;
}

// The video of the pictures at `addresses`; tells the share that is done; ends early where `going` says no.
async function recordVideo(addresses, tell, going) {
  const canvas = Object.assign(document.createElement("canvas"), { width: VIDEO_SIDE, height: VIDEO_SIDE });
  const context = canvas.getContext("2d");
  const pictures = await Promise.all(addresses.map(async (address) => createImageBitmap(await (await fetch(address)).blob())));
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: videoType(), videoBitsPerSecond: 4e6 });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const ended = new Promise((resolve, reject) => {
    recorder.onstop = resolve;
    recorder.onerror = () => reject(new Error("The browser could not record: choose GIF or WebP."));
  });
  const paint = (picture) => {
    context.imageSmoothingEnabled = picture.width > 64;
    context.drawImage(picture, 0, 0, VIDEO_SIDE, VIDEO_SIDE);
  };
  paint(pictures[0]);
  recorder.start();
  for (let i = 0; i < pictures.length && going(); i += 1) {
    paint(pictures[i]);
    tell(i / pictures.length);
    await rest(PLAY_INTERVAL);
  }
  for (let waited = 0; waited < VIDEO_REST && going(); waited += 100) {
    paint(pictures[pictures.length - 1]); // a recorder drops time in which nothing is painted
    await rest(100);
  }
  recorder.stop();
  await ended;
  for (const picture of pictures) picture.close();
  return new Blob(parts, { type: recorder.mimeType });
}

function rest(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
