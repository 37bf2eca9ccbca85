/* Browsers start no worker on pages that are opened from disk. There, this stands in for `Worker`: the script runs in a
   hidden frame of the page and gets and sends the same messages. The search of the theme needs nothing more. */
if (location.protocol === "file:") {
  const load = (inside, address) => new Promise((done, failed) => {
    const script = inside.document.createElement("script");
    script.src = address;
    script.onload = done;
    script.onerror = failed;
    inside.document.body.appendChild(script);
  });

  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const source = new URL(address, document.baseURI).href;
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.title = "search";
      this.frame.srcdoc = "<!doctype html><title>search</title>";
      this.started = new Promise((started) => this.frame.addEventListener("load", async () => {
        const inside = this.frame.contentWindow;
        inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        inside.importScripts = async (...scripts) => {
          for (const script of scripts) await load(inside, new URL(script, source).href);
        };
        await load(inside, source);
        started();
      }, { once: true }));
      document.body.appendChild(this.frame);
    }

    postMessage(data) {
      this.started.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
