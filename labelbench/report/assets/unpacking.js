"use strict";
// Plotly is packed on the page, and is unpacked while the page is read.
const plotly = (async () => {
  const packed = document.getElementById("plotly").textContent;
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  // The content security policy knows it by the hash of its text.
  document.head.append(Object.assign(document.createElement("script"), { textContent: await new Response(stream).text() }));
})();
