"use strict";
// Makes plots and phrases seek the players, and shows in the plots where the sound is.
// The page says all it has to say without this script.
(function () {
  const players = Array.from(document.querySelectorAll("audio[data-offset]"));
  const heads = Array.from(document.querySelectorAll(".playhead"));
  const timed = players.filter((player) => player.dataset.part !== "reference");

  function show(seconds) {
    for (const head of heads) {
      const plot = head.ownerSVGElement.dataset;
      const share = (seconds - plot.startS) / (plot.endS - plot.startS);
      const x = Number(plot.left) + share * (plot.right - plot.left);
      head.classList.toggle("on", share >= 0 && share <= 1);
      head.setAttribute("x1", x);
      head.setAttribute("x2", x);
    }
  }

  function seek(seconds) {
    for (const player of timed) {
      player.currentTime = Math.max(0, seconds - player.dataset.offset);
    }
    show(seconds);
  }

  for (const player of players) {
    player.addEventListener("play", () => {
      for (const other of players) {
        if (other !== player) other.pause();
      }
    });
  }
  for (const player of timed) {
    player.addEventListener("timeupdate", () => {
      if (!player.paused) show(player.currentTime + Number(player.dataset.offset));
    });
  }
  for (const link of document.querySelectorAll("a[data-seek]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      seek(Number(link.dataset.seek));
    });
  }
  for (const svg of document.querySelectorAll("svg[data-start-s]")) {
    svg.addEventListener("click", (event) => {
      if (event.target.closest("a")) return;
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      const plot = svg.dataset;
      const share = (x - plot.left) / (plot.right - plot.left);
      if (share >= 0 && share <= 1) {
        seek(Number(plot.startS) + share * (plot.endS - plot.startS));
      }
    });
  }
})();
