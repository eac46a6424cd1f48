"use strict";

/** What a page learns of an answer: all, or that the browser keeps it from the page. */
async function call(url, options) {
  try {
    const answer = await fetch(url, options);
    return { status: answer.status, type: answer.type, headers: [...answer.headers.keys()], text: await answer.text() };
  } catch (error) {
    return { error: error.name };
  }
}

/** The first event of a stream that the browser reads, or null if it gives up. */
function firstEvent(url, withCredentials) {
  return new Promise((resolve) => {
    const source = new EventSource(url, { withCredentials });
    const end = (found) => (source.close(), resolve(found));
    source.addEventListener("message", ({ data }) => end(data));
    source.addEventListener("error", () => source.readyState === EventSource.CLOSED && end(null));
  });
}

/** What a page can have the browser send without being able to read the answer. */
const hidden = {
  fetch: (url, type, body) => call(url, { method: "POST", mode: "no-cors", headers: { "Content-Type": type }, body }),
  blob: (url, _type, body) => call(url, { method: "POST", mode: "no-cors", body: new Blob([body]) }),
  beacon: (url, type, body) => navigator.sendBeacon(url, new Blob([body], { type })),
  form(url, type, body) {
    const form = document.body.appendChild(document.createElement("form"));
    Object.assign(form, { action: url, method: "POST", enctype: type });
    const field = form.appendChild(document.createElement("input"));
    [field.name, field.value] = [body.slice(0, -2), '"}']; // with the "=" between them, JSON again
    form.submit();
  },
};

/** Once the browser has asked for what it takes for an image. */
function look(url) {
  return new Promise((resolve) => {
    const image = new Image();
    image.onload = image.onerror = () => resolve();
    image.src = url;
  });
}
