/** What a person should know about an image or a result, in sentences. */
export function Notes({ notes }: { notes: string[] }) {
  return (
    <ul class="notes">
      {notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}
