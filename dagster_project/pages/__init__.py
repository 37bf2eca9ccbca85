"""What people read: a document of headings, paragraphs and tables, and its renderings as HTML, PDF and text."""
