// Browsers start no worker from a file:// page. The search of the site then runs in a hidden frame instead.
// The theme asks for a script with this name, by default on another host.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inner = frame.contentWindow;
      addEventListener("message", (event) => {
        if (event.source === this.inner) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
      this.loaded = this.prepare(url);
    }

    // The names that the script of a worker expects, then the script itself.
    prepare(url) {
      const page = this.inner.document;
      const load = (source) =>
        new Promise((resolve) => {
          const script = page.createElement("script");
          script.src = source;
          script.onload = resolve;
          page.body.append(script);
        });
      page.open();
      page.write("<script>postMessage = (data) => parent.postMessage(data, '*')</script><body></body>");
      page.close();
      this.inner.importScripts = (...sources) =>
        sources.reduce((before, source) => before.then(() => load(source)), Promise.resolve());
      return load(url);
    }

    postMessage(data) {
      this.loaded.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) })));
    }

    terminate() {
      this.inner.frameElement.remove();
    }
  };
}
