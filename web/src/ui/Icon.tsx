/** Line icons on a grid of 20, in the colour of the text around them; always beside or instead of a label that is read out. */
const PATHS = {
  accept: "M4 10.5 8.5 15 16 6",
  back: "M11.5 4.5 6 10l5.5 5.5",
  close: "m5 5 10 10M15 5 5 15",
  compare: "M10 3v14M3.5 5.5h4v9h-4zM12.5 5.5h4v9h-4z",
  draw: "m4 16 1-4L13.5 3.5l3 3L8 15z",
  download: "M10 3v9.5m-4-4 4 4 4-4M4 16.5h12",
  fit: "M4 7.5V4h3.5M16 7.5V4h-3.5M4 12.5V16h3.5M16 12.5V16h-3.5",
  image: "M3.5 4.5h13v11h-13zM3.5 13l4-4 4 4 2-2 3 3",
  minus: "M4.5 10h11",
  moon: "M15.5 12A6.5 6.5 0 0 1 8 4.5a6.5 6.5 0 1 0 7.5 7.5z",
  plus: "M10 4.5v11M4.5 10h11",
  redo: "M15.5 8H8a4 4 0 0 0 0 8h3M12.5 4.5 16 8l-3.5 3.5",
  reject: "m5 5 10 10M15 5 5 15",
  report: "M5 2.5h7l3.5 3.5v11.5H5zM8 9h5M8 12h5M8 15h3",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M16 4l-1.4 1.4M5.4 14.6 4 16",
  trash: "M4 5.5h12M8 5.5v-2h4v2M5.5 5.5l.8 11h7.4l.8-11",
  undo: "M4.5 8H12a4 4 0 0 1 0 8H9M7.5 4.5 4 8l3.5 3.5",
  upload: "M10 13V3.5m-4 4 4-4 4 4M4 16.5h12",
  warning: "M10 3 2.5 16.5h15zM10 8v4M10 14.2v.3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
