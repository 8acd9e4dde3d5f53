// Maps of density in metres: seen from above, and laid over the camera's redacted picture.
const MOST_PX = 640;
const MOST_PX_PER_M = 48;

const rowsOf = (map) => map.per_m2.length / map.columns;
/** Draw maps from above, the far side on top, with a line each metre; `paint` gives the colour of a value of a map. */
export function drawPlan(canvas, maps, paint) {
  const low = [0, 1].map((axis) => Math.min(...maps.map((map) => map.low_m[axis])));
  const high = [Math.max(...maps.map((map) => map.low_m[0] + map.columns * map.side_m)), Math.max(...maps.map((map) => map.low_m[1] + rowsOf(map) * map.side_m))];
  const scale = Math.min(MOST_PX_PER_M, MOST_PX / Math.max(high[0] - low[0], high[1] - low[1]));
  canvas.width = Math.ceil((high[0] - low[0]) * scale);
  canvas.height = Math.ceil((high[1] - low[1]) * scale);
  const pen = canvas.getContext("2d");
  for (const map of maps) {
    const side = map.side_m * scale;
    map.per_m2.forEach((value, index) => {
      if (value === null) return;
      const x = (map.low_m[0] - low[0]) * scale + (index % map.columns) * side;
      const y = canvas.height - (map.low_m[1] - low[1]) * scale - (Math.floor(index / map.columns) + 1) * side;
      pen.fillStyle = value > 0 ? paint(map, value) : "rgb(128 128 128 / .15)";
      pen.fillRect(x, y, side, side);
    });
  }
  pen.strokeStyle = "rgb(128 128 128 / .25)";
  pen.beginPath();
  for (let x = 0; x <= canvas.width; x += scale) pen.rect(x, 0, 0, canvas.height);
  for (let y = canvas.height; y >= 0; y -= scale) pen.rect(0, y, canvas.width, 0);
  pen.stroke();
}

/** Lay maps over the picture: each square is the polygon that its corners have there. */
export function drawOver(canvas, maps, paint) {
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(box.width));
  canvas.height = Math.max(1, Math.round(box.height));
  const pen = canvas.getContext("2d");
  for (const map of maps) {
    const corners = cornersOf(map, canvas.width, canvas.height);
    const stride = map.columns + 1;
    map.per_m2.forEach((value, index) => {
      if (!(value > 0)) return;
      const at = Math.floor(index / map.columns) * stride + (index % map.columns);
      const square = [corners[at], corners[at + 1], corners[at + stride + 1], corners[at + stride]];
      if (square.includes(null)) return;
      pen.fillStyle = paint(map, value);
      pen.beginPath();
      square.forEach(([x, y], corner) => (corner ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.fill();
    });
  }
}

/** Where the corners of all squares are in the picture, in pixels of the canvas; null behind the camera. */
function cornersOf(map, width, height) {
  const m = map.floor_to_picture;
  const corners = [];
  for (let row = 0; row <= rowsOf(map); row += 1) {
    for (let column = 0; column <= map.columns; column += 1) {
      const x = map.low_m[0] + column * map.side_m;
      const y = map.low_m[1] + row * map.side_m;
      const depth = m[6] * x + m[7] * y + m[8];
      corners.push(depth <= 1e-9 ? null : [((m[0] * x + m[1] * y + m[2]) / depth) * width, ((m[3] * x + m[4] * y + m[5]) / depth) * height]);
    }
  }
  return corners;
}
