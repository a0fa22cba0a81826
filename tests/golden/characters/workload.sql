insert into c values (E'k\u0001\t"\\/', E'\u0001\u0008\u000b\u000c\r\n\u001f\u007f\u0080\u2028\u2029\ufeff\uffff😀 <>&', E'{"a":"\\u0000\\u00e9\\/"}', repeat('é😀', 50));
update c set id = E'other 😀'; delete from c;
