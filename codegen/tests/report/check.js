// Looks at a page as a person who can't see it, or on a small screen, would have it looked at, and leaves what is wrong in the
// document, as a JSON list of texts.
addEventListener("load", () => {
  const wrong = [];
  const say = (what, element) => wrong.push(what + ": " + element.outerHTML.slice(0, 120));
  const all = (selector) => [...document.querySelectorAll(selector)];

  for (const image of all("img")) {
    if (!image.alt) say("a picture without a text", image);
    if (!image.src.startsWith("data:")) say("a picture from elsewhere", image);
  }
  for (const chart of all("svg")) {
    const named = chart.getAttribute("role") === "img" && chart.getAttribute("aria-label");
    if (!named && chart.getAttribute("aria-hidden") !== "true") say("a chart without a name", chart);
    if (/NaN|Infinity/.test(chart.outerHTML)) say("a chart of what is no number", chart);
  }
  const ids = all("[id]").map((element) => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id stands twice");
  for (const link of all("a")) {
    if (!document.getElementById(link.getAttribute("href").slice(1))) say("a link to nothing", link);
  }
  for (const element of all("script[src], link, iframe, [style*='url(']")) say("something from elsewhere", element);
  let level = 0;
  for (const heading of all("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) say("a heading that skips a level", heading);
    level = own;
  }
  if (all("h1").length !== 1 || !document.title || !document.documentElement.lang) wrong.push("no title, h1 or language");
  for (const table of all("table")) {
    if (!table.querySelector("th[scope]")) say("a table without headers", table);
  }
  for (const scrolled of all(".scroll")) {
    if (scrolled.tabIndex !== 0 || !scrolled.getAttribute("aria-label")) say("what scrolls without the keyboard", scrolled);
  }

  // Contrast after WCAG 2: 4.5 to 1, of large letters 3 to 1.
  const parsed = (text) => {
    const numbers = (text.match(/[\d.]+(e-?\d+)?/g) || []).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    const [red, green, blue, alpha = 1] = numbers;
    return [red * scale, green * scale, blue * scale, alpha];
  };
  const over = (front, back) => [0, 1, 2].map((at) => front[at] * front[3] + back[at] * (1 - front[3]));
  const background = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parsed(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const light = (color) => {
    const linear = color.slice(0, 3).map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  let looked = 0;
  for (const element of all("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("script, style, title") || !element.checkVisibility()) continue;
    if (element.closest("svg") && element.tagName !== "text") continue;
    const style = getComputedStyle(element);
    const ink = parsed(element.tagName === "text" ? style.fill : style.color);
    // Letters on a chart's rectangles are looked at by a person.
    const paper = background(element.closest("svg") || element);
    const [more, less] = [light(over(ink, paper)), light(paper)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (more + 0.05) / (less + 0.05);
    looked += 1;
    if (contrast < (large ? 3 : 4.5)) say("letters of a contrast of " + contrast.toFixed(2), element);
  }
  if (looked < 50) wrong.push("only " + looked + " texts were looked at");

  if (document.documentElement.scrollWidth > innerWidth) {
    wrong.push("the page is " + document.documentElement.scrollWidth + " wide on a screen of " + innerWidth);
  }

  const theme = () => getComputedStyle(document.body).backgroundColor;
  const before = theme();
  const button = document.getElementById("theme");
  button.click();
  if (theme() === before) wrong.push("the button changes nothing");
  button.click();
  if (theme() !== before) wrong.push("the button does not change back");
  const folded = document.querySelector(".graph details");
  const height = folded.parentElement.offsetHeight;
  folded.querySelector("summary").click();
  if (!folded.open || folded.parentElement.offsetHeight <= height) wrong.push("a layer does not fold out");
  folded.open = false;
  dispatchEvent(new Event("beforeprint"));
  if (!folded.open) wrong.push("a layer stays folded in print");
  dispatchEvent(new Event("afterprint"));
  if (folded.open) wrong.push("a layer stays open after print");

  const found = document.createElement("pre");
  found.id = "found-wrong";
  found.textContent = JSON.stringify(wrong);
  document.body.append(found);
});
