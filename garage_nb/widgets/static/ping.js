// Ping: that this runs at all is half the answer; the kernel's pong, which the frame asks for, is the other.

export default {
  render({ model, el }) {
    const start = performance.now();
    const { body, close } = frame({ model, el }, "gnb-ping", "Does the page answer");
    const said = make("p", "gnb-title", "The page is here and waits for the kernel …");
    said.setAttribute("role", "status");
    body.append(said);
    const pong = message => {
      if (message?.kind !== "pong") return;
      if (model.get("milliseconds") !== null) return;
      const took = performance.now() - start;
      said.textContent = `Page and kernel answer each other, in ${Math.round(took)} ms. Widgets work here.`;
      put(model, "milliseconds", took);
    };
    model.on("msg:custom", pong);
    return close;
  },
};
