delete from order_line; update customer set vip = true; update product set available = 'empty';
