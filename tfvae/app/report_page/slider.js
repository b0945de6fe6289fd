// Shows frames that were decoded when the page was made; nothing is computed here.
const told = JSON.parse(document.getElementById("frames").textContent);
const find = (id) => document.getElementById(id);
const [latent, value, said] = [find("latent"), find("value"), find("said")];

const make = (name, attributes, owner) => {
  const element = document.createElementNS(owner.namespaceURI, name); // of HTML, or of SVG
  for (const [key, text] of Object.entries(attributes)) element.setAttribute(key, text);
  owner.append(element);
  return element;
};

const views = {
  sprite() {
    const [width, height] = told.cell;
    const canvas = make("canvas", { width, height, "aria-hidden": "true" }, find("frame"));
    const sheet = new Image();
    const context = canvas.getContext("2d");
    const draw = (i, j) => context.drawImage(sheet, j * width, i * height, width, height, 0, 0, width, height);
    sheet.addEventListener("load", show);
    sheet.src = told.sprite;
    return draw;
  },
  lines() {
    const lines = told.lines[0][0].map((_, channel) => make("polyline", { stroke: told.colours[channel % told.colours.length] }, find("lines")));
    return (i, j) => told.lines[i][j].forEach((points, channel) => lines[channel].setAttribute("points", points));
  },
  words() {
    const cells = told.columns.map((name) => {
      const row = make("tr", {}, find("cells"));
      make("th", { scope: "row" }, row).textContent = name;
      return make("td", {}, row);
    });
    return (i, j) => told.words[i][j].forEach((word, column) => (cells[column].textContent = word));
  },
};

const draw = views[Object.keys(views).find((name) => name in told)]();
function show() {
  draw(Number(latent.value), Number(value.value));
  said.textContent = told.values[Number(value.value)];
  value.setAttribute("aria-valuetext", told.values[Number(value.value)]);
}
latent.addEventListener("input", show);
value.addEventListener("input", show);
show();
find("slider").hidden = false;
