// px
export const topBar = 40;
export const foldedDock = 30;
export const statusStrip = 24;
export const leastCanvas = 300;
